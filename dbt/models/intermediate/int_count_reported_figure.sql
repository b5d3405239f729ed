{#-
  Figures that were delivered already aggregated: counts as they are, means weighted by the cases behind them (in whole
  hundredths of their unit). One measure of a KPI is the figure itself, the others stand beside it as slices.
-#}
with dated_figure as (
    select
        figure.*,
        measure.kpi_id,
        measure.role = 'figure' as is_figure,
        measure.total_category,
        measure.category_list,
        figure.period_end > night.as_of as is_future,
        least(figure.period_end, night.as_of) as day,
        case
            when measure.value_factor is null then figure.numerator
            else cast(round(figure.value * measure.value_factor * figure.weight, 0) as bigint)
        end as counted_numerator,
        case when measure.value_factor is null then figure.denominator else figure.weight end as counted_denominator
    from {{ ref('stg_reported_figure') }} as figure
    inner join {{ ref('reported_measure') }} as measure on figure.measure = measure.measure
    cross join {{ source('control', 'night') }} as night
    where measure.role <> 'printed'
),

placed_figure as (
    select
        dated_figure.kpi_id,
        {{ leaf_unit() }} as unit_code,
        dated_figure.day,
        dated_figure.measure,
        dated_figure.is_figure,
        coalesce(dated_figure.category, 'unknown') as category,
        dated_figure.total_category is null or coalesce(dated_figure.category, 'unknown') = dated_figure.total_category as is_part_of_total,
        dated_figure.counted_numerator,
        dated_figure.counted_denominator,
        dated_figure.is_future,
        case
            when dated_figure.category_list is null then dated_figure.is_figure
            else exists (
                select 1
                from {{ ref('category_list') }} as listed
                where listed.list_id = dated_figure.category_list and listed.category_prefix = dated_figure.category
            )
        end as is_slice,
        dated_figure.row_count
    from dated_figure
    {{ join_leaf_unit('dated_figure') }}
    {{ join_group_root('dated_figure') }}
),

figure_cell as (
    select
        kpi_id,
        unit_code,
        day,
        '' as cell,
        counted_numerator as numerator,
        counted_denominator as denominator
    from placed_figure
    where is_figure and is_part_of_total and not is_future
    union all
    select
        kpi_id,
        unit_code,
        day,
        'category:' || category as cell,
        counted_numerator as numerator,
        counted_denominator as denominator
    from placed_figure
    where is_slice and is_figure and not is_future
    union all
    select
        kpi_id,
        unit_code,
        day,
        'measure:' || measure as cell,
        counted_numerator as numerator,
        counted_denominator as denominator
    from placed_figure
    where not is_figure and is_part_of_total and not is_future
    union all
    select
        kpi_id,
        unit_code,
        day,
        case when is_future then 'excluded:after_as_of' else 'excluded:category_not_listed' end as cell,
        row_count as numerator,
        0 as denominator
    from placed_figure
    where is_future or (not is_part_of_total and not is_slice)
)

{{ summed_cells('figure_cell') }}
