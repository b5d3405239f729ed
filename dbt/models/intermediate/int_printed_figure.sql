{#-
  Rates that sources printed, beside what the counts delivered with them give: equal at the digits printed, padded (equal but
  for zeros at the end, 82.90 for 82.87) or different.
-#}
with printed as (
    select
        figure.source_id,
        figure.group_name,
        figure.unit_code,
        figure.period_start,
        figure.period_end,
        figure.measure,
        measure.kpi_id,
        measure.role,
        figure.category,
        coalesce(figure.category, '') = coalesce(measure.total_category, '') as is_total,
        figure.numerator,
        figure.denominator,
        figure.value_text,
        try_cast(figure.value_text as decimal(18, 9)) as printed_value,
        try_cast(cast(figure.numerator * measure.printed_factor as double) / figure.denominator as decimal(18, 9)) as recomputed_value,
        length(split_part(figure.value_text, '.', 2)) as digits,
        length(rtrim(split_part(figure.value_text, '.', 2), '0')) as digits_without_padding
    from {{ ref('stg_reported_figure') }} as figure
    inner join {{ ref('reported_measure') }} as measure on figure.measure = measure.measure
    cross join {{ source('control', 'night') }} as night
    where
        figure.value_text is not null
        and figure.denominator > 0
        and measure.printed_factor is not null
        and figure.period_end <= night.as_of
),

compared as (
    select
        printed.*,
        abs(printed_value - recomputed_value) as gap,
        cast(0.5 * power(10, -least(digits, 8)) as decimal(18, 9)) as rounding,
        cast(0.5 * power(10, -least(digits_without_padding, 8)) as decimal(18, 9)) as rounding_without_padding
    from printed
)

select
    source_id,
    group_name,
    unit_code,
    period_start,
    period_end,
    measure,
    kpi_id,
    role,
    category,
    is_total,
    numerator,
    denominator,
    value_text,
    printed_value,
    recomputed_value,
    case
        when gap <= rounding then 'equal'
        when gap <= rounding_without_padding then 'padded'
        else 'different'
    end as agreement
from compared
