{#- Decisions in time (REG-1), and case-like incidents, old enough to judge, of which nothing was ever registered (REG-2). -#}
{{ config(materialized=kept_table(), meta={'counts_days_of': ['int_incident_registered', 'int_matter_row']}) }}
with kpi_row as (
    select
        'REG-2' as kpi_id,
        unit_code,
        day,
        category,
        case when excluded_reason is null and not is_registered then row_count else 0 end as numerator,
        case when excluded_reason is null then row_count else 0 end as denominator,
        excluded_reason,
        row_count as excluded
    from {{ rows_counted('int_incident_registered') }}
),

{{ cells('kpi_row', ['category']) }},

matter_cell as (
    {{ family_cells('registration', ['int_matter_cell']) }}
)

select * from cell
union all
select * from matter_cell
