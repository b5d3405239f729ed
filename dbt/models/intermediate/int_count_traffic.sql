{{ config(materialized=kept_table(), meta={'counts_days_of': ['int_traffic_row', 'int_observation']}) }}
{#- Persons of one accident are no independent events: squares of their number, by accident, say how much more they spread. -#}
with kpi_row as (
    select *
    from {{ rows_counted('int_traffic_row') }}
),

{{ cells('kpi_row', ['severity', 'road_user', 'feed']) }},

square_cell as (
    {%- for kpi_id, counted_by, persons in [
        ('TR-1.deaths', 'TR-1.accidents', 'killed'), ('TR-1.ksi', 'TR-1.accidents', '(killed + seriously_injured)'), ('TR-2', 'TR-2', 'killed')
    ] %}
    {% if not loop.first %}union all {% endif -%}
    select
        '{{ kpi_id }}' as kpi_id,
        unit_code,
        day,
        'square:accident' as cell,
        cast(sum({{ persons }} * {{ persons }}) as bigint) as numerator,
        cast(0 as bigint) as denominator
    from kpi_row
    where kpi_id = '{{ counted_by }}' and {{ persons }} > 0
    group by unit_code, day
    {%- endfor %}
)

select * from cell
union all
select * from square_cell
union all
{{ family_cells('traffic', ['int_observation_cell']) }}
