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

printed_figure as (
    select
        unit_code,
        measure,
        period_end,
        cast(100 * numerator as decimal(38, 10)) / denominator as recomputed_percent,
        cast(value_text as decimal(18, 9)) as printed_percent,
        greatest(length(split_part(value_text, '.', 2)), 1) as digits
    from {{ ref('stg_reported_figure') }}
    where value_text is not null and denominator > 0
),

agreement as (
    select
        figure.unit_code,
        measure.kpi_id,
        figure.period_end,
        count(*) as printed,
        sum(case when abs(figure.recomputed_percent - figure.printed_percent) <= 0.5 * power(10, -least(figure.digits, 6)) + 0.0000001 then 1 else 0 end) as agreeing
    from printed_figure as figure
    inner join {{ ref('reported_measure') }} as measure on figure.measure = measure.measure
    group by figure.unit_code, measure.kpi_id, figure.period_end
)

select
    recomputed.*,
    agreement.printed as figures_printed,
    agreement.agreeing as figures_agreeing
from recomputed
left join agreement
    on
        recomputed.unit_code = agreement.unit_code
        and recomputed.kpi_id = agreement.kpi_id
        and recomputed.period_end = agreement.period_end
        and recomputed.slice = ''
        and recomputed.grain = 'year'
