{#-
  Printed rates against their own counts and against the pool. Every rate of a whole figure is here; of the thousands by category
  only those that do not agree.
-#}
with printed_period as (
    select distinct
        unit_code,
        kpi_id,
        period_start,
        period_end
    from {{ ref('int_printed_figure') }}
    where is_total
),

pooled as (
    select
        kpi.unit_code,
        kpi.kpi_id,
        kpi.period_start,
        kpi.period_end,
        kpi.numerator,
        kpi.denominator
    from {{ ref('kpi') }} as kpi
    inner join printed_period
        on
            kpi.unit_code = printed_period.unit_code
            and kpi.kpi_id = printed_period.kpi_id
            and kpi.period_start = printed_period.period_start
            and kpi.period_end = printed_period.period_end
    where kpi.slice = '' and kpi.grain in ('month', 'quarter', 'year')
)

select
    printed.source_id,
    printed.unit_code,
    printed.period_start,
    printed.period_end,
    printed.measure,
    printed.kpi_id,
    coalesce(printed.category, '') as category,
    printed.numerator,
    printed.denominator,
    printed.value_text as printed,
    printed.recomputed_value as recomputed,
    printed.agreement,
    pooled.numerator as pool_numerator,
    pooled.denominator as pool_denominator,
    printed.numerator = pooled.numerator and printed.denominator = pooled.denominator as is_same_in_pool
from {{ ref('int_printed_figure') }} as printed
left join pooled
    on
        printed.unit_code = pooled.unit_code
        and printed.kpi_id = pooled.kpi_id
        and printed.period_start = pooled.period_start
        and printed.period_end = pooled.period_end
        and printed.is_total
where printed.is_total or printed.agreement <> 'equal'
