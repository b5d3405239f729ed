{#-
  Amounts or durations in bins, by unit above and by month, quarter and year, from the finest counts: the CTEs of a `with` that end in
  `name` (kpi_id, grain, period_start, unit_code, edge, amount, members). `edge` is the number after 'bin:', the least of its bin.
-#}
{% macro bins_by_period(name, kpi_ids) -%}
{{ name }}_of_month as (
    select
        counted.kpi_id,
        unit_ancestor.ancestor_code as unit_code,
        {{ dbt.date_trunc('month', 'counted.day') }} as month,
        cast(split_part(counted.cell, ':', 2) as bigint) as edge,
        sum(counted.numerator) as amount,
        sum(counted.denominator) as members
    from {{ ref('fct_kpi_count') }} as counted
    inner join {{ ref('unit_ancestor') }} as unit_ancestor
        on
            counted.unit_code = unit_ancestor.unit_code
            and counted.day >= unit_ancestor.valid_from
            and counted.day < unit_ancestor.valid_to
    where
        counted.kpi_id in ('{{ kpi_ids | join("', '") }}')
        and counted.cell like 'bin:%'
        {%- if redoes_periods() %}
        and counted.day >= {{ touched_since(config.get('meta').wide_columns) }}
        {%- endif %}
    group by
        counted.kpi_id,
        unit_ancestor.ancestor_code,
        {{ dbt.date_trunc('month', 'counted.day') }},
        cast(split_part(counted.cell, ':', 2) as bigint)
),

{{ name }} as (
    {%- for grain in ['month', 'quarter', 'year'] %}
    {% if not loop.first %}union all {% endif -%}
    select
        kpi_id,
        '{{ grain }}' as grain,
        cast({{ dbt.date_trunc(grain, 'month') }} as date) as period_start,
        unit_code,
        edge,
        cast(sum(amount) as bigint) as amount,
        cast(sum(members) as bigint) as members
    from {{ name }}_of_month
    group by kpi_id, {{ dbt.date_trunc(grain, 'month') }}, unit_code, edge
    {%- endfor %}
)
{%- endmacro %}

{#-
  Of bins_by_period: each bin with the members and amounts of the bins up to it, and of all; `name` is the CTE.
-#}
{% macro bins_so_far(name, bins) -%}
{{ name }} as (
    select
        {{ bins }}.*,
        sum(members) over (
            partition by kpi_id, grain, period_start, unit_code
            order by edge
            rows between unbounded preceding and current row
        ) as members_so_far,
        sum(members) over (partition by kpi_id, grain, period_start, unit_code) as all_members,
        sum(amount) over (partition by kpi_id, grain, period_start, unit_code) as all_amount
    from {{ bins }}
)
{%- endmacro %}

{#- The least edge of the bin that the smallest `numerator / denominator` of the members reach up to. -#}
{% macro bin_quantile(kpi_id, numerator, denominator) -%}
min(case when kpi_id = '{{ kpi_id }}' and members_so_far * {{ denominator }} >= all_members * {{ numerator }} then edge end)
{%- endmacro %}

{#- The median by the edges of its bins: of an even number of members the mean of the two in the middle. -#}
{% macro bin_median(kpi_id) -%}
({{ bin_quantile(kpi_id, 1, 2) }} + min(case when kpi_id = '{{ kpi_id }}' and members_so_far * 2 > all_members then edge end)) / 2e0
{%- endmacro %}
