{{ config(materialized=kept_table(), meta={'counts_days_of': ['int_incident']}) }}
with listed_category as (
    {{ listed_categories(ref('int_incident'), 'street_preventable') }}
),

incident as (
    select
        incident.unit_code,
        incident.day,
        incident.category,
        incident.ineffective_reason as excluded_reason,
        incident.row_count as incidents,
        case when incident.ineffective_reason is null then incident.row_count else 0 end as effective,
        case when incident.ineffective_reason is null and incident.is_case is not null then incident.row_count else 0 end as reported,
        case when incident.ineffective_reason is null and incident.is_case then incident.row_count else 0 end as converted,
        case when incident.ineffective_reason is null and {{ is_listed('incident') }} then incident.row_count else 0 end as preventable
    from {{ rows_counted('int_incident') }} as incident
),

{{ tally('incident', ['category'], ['incidents', 'effective', 'reported', 'converted', 'preventable']) }},

cell as (
    {{ kpi_cell('INC-3.effective', 'effective') }}
    where not is_excluded
    union all
    {{ kpi_cell('INC-3.effective', 'incidents') }}
    where is_excluded
    union all
    {{ kpi_cell('INC-3.converted', 'converted', 'reported') }}
    where not is_excluded
    union all
    {{ kpi_cell('INC-3.converted', 'incidents') }}
    where is_excluded
    union all
    {{ kpi_cell('INC-3.converted', 'effective - reported', cell="'excluded:conversion_not_reported'") }}
    where cell = ''
    union all
    {{ kpi_cell('INC-4', 'preventable') }}
    where not is_excluded
    union all
    {{ kpi_cell('INC-4', 'incidents') }}
    where is_excluded
    union all
    {{ kpi_cell('INC-4', 'effective - preventable', cell="'excluded:category_not_listed'") }}
    where cell = ''
)

select *
from cell
where numerator <> 0 or denominator <> 0
