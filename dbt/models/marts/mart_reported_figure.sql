{#- Figures recomputed from delivered counts, beside the rates that their publishers printed: how many agree at the digits printed. -#}
with recomputed as (
    select
        unit_code,
        unit_name,
        unit_level,
        kpi_id,
        slice,
        grain,
        period_start,
        period_end,
        is_complete,
        numerator,
        denominator,
        value
    from {{ ref('kpi') }}
    where product = 'reported_figure' and grain in ('month', 'quarter', 'year', 'ytd')
),

agreement as (
    select
        unit_code,
        kpi_id,
        period_start,
        period_end,
        count(*) as printed,
        sum(case when agreement <> 'different' then 1 else 0 end) as agreeing
    from {{ ref('int_printed_figure') }}
    where role = 'figure'
    group by unit_code, kpi_id, period_start, period_end
)

select
    recomputed.*,
    agreement.printed as figures_printed,
    cast(agreement.agreeing as bigint) as figures_agreeing
from recomputed
left join agreement
    on
        recomputed.unit_code = agreement.unit_code
        and recomputed.kpi_id = agreement.kpi_id
        and recomputed.period_start = agreement.period_start
        and recomputed.period_end = agreement.period_end
        and recomputed.slice = ''
        and recomputed.grain in ('month', 'quarter', 'year')
