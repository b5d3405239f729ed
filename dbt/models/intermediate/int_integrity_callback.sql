{{ config(materialized=kept_table(), meta={'counts_days_of': ['int_callback']}) }}
{#- Incidents called back without any telephone on record, and how satisfied first replies are at the first attempt and later. -#}
with called_incident as (
    select
        max(case when attempt_rank = 1 then unit_code end) as unit_code,
        max(day) as day,
        max(case when has_phone then 1 else 0 end) = 0 as has_no_phone
    from {{ rows_counted('int_callback') }}
    where not is_future
    group by group_name, incident_id
),

first_reply as (
    select
        unit_code,
        day,
        case when attempt = 1 then 'attempt:first' else 'attempt:later' end as attempt_cell,
        result in ('very_satisfied', 'satisfied') as is_satisfied,
        row_count
    from {{ rows_counted('int_callback') }}
    where is_first_reply and not is_future
),

counted as (
    select 'INT-5.no_phone' as kpi_id, unit_code, day, '' as cell, case when has_no_phone then 1 else 0 end as numerator, 1 as denominator
    from called_incident
    {%- for cell in ["''", 'attempt_cell'] %}
    union all
    select 'INT-5.first' as kpi_id, unit_code, day, {{ cell }} as cell, case when is_satisfied then row_count else 0 end as numerator, row_count as denominator
    from first_reply
    {%- endfor %}
)

{{ summed_cells('counted') }}
