with incident as (
    select
        unit_code,
        day,
        category,
        channel,
        ineffective_reason as excluded_reason,
        row_count as incidents,
        case when is_future then 0 else row_count end as received,
        case when ineffective_reason is null then row_count else 0 end as effective,
        case when is_dispatched and not is_future then row_count else 0 end as dispatched,
        case when is_dispatched and is_returned and not is_future then row_count else 0 end as returned
    from {{ ref('int_incident') }}
),

{{ tally('incident', ['category', 'channel'], ['incidents', 'received', 'effective', 'dispatched', 'returned']) }},

cell as (
    {{ kpi_cell('INC-1', 'received') }}
    where not is_excluded
    union all
    {{ kpi_cell('INC-1', 'incidents') }}
    where cell = 'excluded:after_as_of'
    union all
    {{ kpi_cell('INC-2', 'effective', 'received') }}
    where not is_excluded
    union all
    {{ kpi_cell('INC-2', 'incidents') }}
    where is_excluded
    union all
    {{ kpi_cell('INC-5', 'returned', 'dispatched') }}
    where not is_excluded and cell not like 'channel:%'
    union all
    {{ kpi_cell('INC-5', 'received - dispatched', cell="'excluded:not_dispatched'") }}
    where cell = ''
    union all
    {{ kpi_cell('INC-5', 'incidents') }}
    where cell = 'excluded:after_as_of'
)

select *
from cell
where numerator <> 0 or denominator <> 0
