{#-
  The counts of every series and day: those of all leaves that stood under its unit on that day. Stocks are not here, they do not
  add up over days. `squares` and `square_weights` are the sums that widen the limits of clustered counts, money and scores.
-#}
select
    link.series_id,
    {{ day_number('counted.day') }} as day_no,
    cast(sum(case when link.role = 'figure' then counted.numerator else 0 end) as bigint) as numerator,
    cast(sum(case when link.role = 'figure' then counted.denominator else 0 end) as bigint) as denominator,
    cast(sum(case link.role when 'squares' then counted.numerator when 'scores' then {{ same_score_squares('counted.numerator', 'counted.denominator') }} end) as decimal(38, 0)) as squares,
    cast(sum(case when link.role in ('squares', 'scores') then counted.denominator end) as decimal(38, 0)) as square_weights
from {{ ref('fct_kpi_count') }} as counted
inner join {{ ref('int_kpi_link') }} as link
    on
        counted.kpi_id = link.kpi_id
        and counted.cell = link.cell
        and counted.unit_code = link.leaf_code
        and counted.day >= link.valid_from
        and counted.day < link.valid_to
cross join {{ source('control', 'night') }} as night
where counted.day <= night.as_of and link.time_rule <> 'last'
group by link.series_id, {{ day_number('counted.day') }}
