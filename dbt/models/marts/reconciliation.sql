{#-
  Printed rates against their own counts and against the pool. Every rate of a whole figure is here; of the thousands by category
  only those that do not agree.
-#}
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
    kpi.numerator as pool_numerator,
    kpi.denominator as pool_denominator,
    printed.numerator = kpi.numerator and printed.denominator = kpi.denominator as is_same_in_pool
from {{ ref('int_printed_figure') }} as printed
left join {{ ref('kpi') }} as kpi
    on
        printed.unit_code = kpi.unit_code
        and printed.kpi_id = kpi.kpi_id
        and printed.period_start = kpi.period_start
        and printed.period_end = kpi.period_end
        and kpi.slice = ''
        and kpi.grain in ('month', 'quarter', 'year')
        and printed.is_total
where printed.is_total or printed.agreement <> 'equal'
