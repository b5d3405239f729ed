{#-
  Every observation of a named measure, under the unit and on the day that it counts for, as the integers of its figure. A row's value
  and base stand for all delivered rows behind it; a scored answer (a measure with a threshold) stands for one respondent or case, so
  it counts as often as it was delivered.
-#}
{{ config(materialized=kept_table(), meta={'rows_of': 'observation', 'dated_by': 'observed_on'}) }}
with named_observation as (
    select
        observation.group_name,
        observation.source_id,
        observation.record_key,
        observation.observed_on,
        observation.unit_code,
        observation.measure,
        observation.category,
        observation.value,
        observation.base,
        observation.weight,
        observation.row_count,
        measure.kpi_id,
        measure.shape,
        measure.value_factor,
        measure.above_base,
        measure.heap_percent,
        measure.has_category,
        measure.threshold is not null as is_scored,
        case when observation.value >= measure.threshold then observation.row_count else 0 end as reached,
        observation.observed_on > night.as_of as is_future,
        least(observation.observed_on, night.as_of) as day
    from {{ states_redone('observation', 'observed_on') }} as observation
    inner join {{ ref('observation_measure') }} as measure on observation.measure = measure.measure
    cross join {{ source('control', 'night') }} as night
    where measure.kpi_id is not null
),

judged_observation as (
    select
        named_observation.*,
        case
            when is_future then 'after_as_of'
            when shape = 'beside' then 'other_measure'
            when value is null and is_scored then 'no_answer'
            when value is null then 'value_missing'
            when shape in ('share', 'weighted') and not is_scored and base is null then 'base_missing'
            when shape = 'weighted' and weight is null then 'weight_missing'
            when value < 0 or base < 0 or weight < 0 then 'negative_value'
            when above_base = 'exclude' and value > base then 'above_base'
        end as excluded_reason,
        case when above_base = 'cap' then least(value, base) else value end as part
    from named_observation
),

scaled_observation as (
    select
        judged_observation.*,
        case
            when excluded_reason is not null then 0
            when is_scored then reached
            when shape = 'weighted' then cast(round(part) as bigint)
            else cast(round(part * value_factor) as bigint)
        end as events,
        case
            when excluded_reason is not null or shape = 'count' then 0
            when is_scored then row_count
            when shape = 'weighted' then cast(round(base) as bigint)
            else cast(round(base * value_factor) as bigint)
        end as trials,
        case when excluded_reason is null and shape = 'weighted' then cast(round(weight * value_factor) as bigint) else 1 end as scale
    from judged_observation
)

select
    scaled_observation.kpi_id,
    scaled_observation.measure,
    scaled_observation.source_id,
    scaled_observation.record_key,
    scaled_observation.observed_on,
    {{ leaf_unit() }} as unit_code,
    scaled_observation.day,
    case
        when scaled_observation.excluded_reason is null and scaled_observation.has_category
            then coalesce(scaled_observation.category, 'unknown')
    end as category,
    scaled_observation.shape = 'weighted' as is_weighted,
    scaled_observation.heap_percent,
    scaled_observation.events * scaled_observation.scale as numerator,
    scaled_observation.trials * scaled_observation.scale as denominator,
    scaled_observation.events * scaled_observation.scale * scaled_observation.scale as squares,
    scaled_observation.trials * scaled_observation.scale * scaled_observation.scale as square_weights,
    scaled_observation.excluded_reason,
    scaled_observation.row_count
from scaled_observation
{{ join_leaf_unit('scaled_observation') }}
{{ join_group_root('scaled_observation') }}
