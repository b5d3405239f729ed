{#-
  Which series a counted row belongs to: one row per KPI, cell, leaf unit and unit above it (itself included), with the days on which
  that held. Cells that are published as slices are series of their own; sums of squares belong to the figure that they widen.
-#}
with slice_kind as (
    select distinct cell_kind
    from {{ ref('kpi_cell') }}
    where is_slice
),

counted as (
    select
        fct_kpi_count.kpi_id,
        fct_kpi_count.unit_code,
        fct_kpi_count.cell,
        split_part(fct_kpi_count.cell, ':', 1) as cell_kind,
        min(fct_kpi_count.day) as first_day,
        max(fct_kpi_count.day) as last_day
    from {{ ref('fct_kpi_count') }} as fct_kpi_count
    cross join {{ source('control', 'night') }} as night
    where fct_kpi_count.day <= night.as_of
    group by fct_kpi_count.kpi_id, fct_kpi_count.unit_code, fct_kpi_count.cell
),

classed as (
    select
        counted.*,
        catalogue.time_rule,
        case
            when counted.cell = '' or slice_kind.cell_kind is not null then 'figure'
            when counted.cell_kind = 'square' then 'squares'
            when counted.cell_kind = 'square_yuan' then 'squares_of_yuan'
            when counted.cell_kind in ('result', 'attempt_result') and catalogue.kind = 'weighted' then 'scores'
        end as role
    from counted
    inner join {{ ref('kpi_catalogue') }} as catalogue on counted.kpi_id = catalogue.kpi_id
    left join slice_kind on counted.cell_kind = slice_kind.cell_kind
),

linked as (
    select
        classed.kpi_id,
        classed.cell,
        classed.unit_code as leaf_code,
        classed.role,
        classed.time_rule,
        case
            when classed.role = 'figure' then classed.cell
            when classed.cell_kind = 'attempt_result' then 'attempt:' || split_part(classed.cell, ':', 2)
            else ''
        end as slice,
        unit_ancestor.ancestor_code as unit_code,
        unit_ancestor.valid_from,
        unit_ancestor.valid_to
    from classed
    inner join {{ ref('unit_ancestor') }} as unit_ancestor
        on
            classed.unit_code = unit_ancestor.unit_code
            and classed.last_day >= unit_ancestor.valid_from
            and classed.first_day < unit_ancestor.valid_to
    where classed.role is not null
)

select
    linked.*,
    {{ kept_number('linked', ['kpi_id', 'slice', 'unit_code'], 'series_id', 'int_kpi_link') }} as series_id
from linked
{{ join_kept_number('linked', ['kpi_id', 'slice', 'unit_code'], 'series_id', 'int_kpi_link') }}
