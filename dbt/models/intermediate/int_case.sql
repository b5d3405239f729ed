{#-
  Cases with the unit that filed them, the day they count on, and why a row is left out of every figure, if it is.

  A criminal case counts on the day it was filed, an administrative one on the day it was accepted. Several rows with one case
  number are one case: the earliest counts. filing_unit_code is the unit as delivered, unit_code the leaf that it meant on that day.
-#}
with dated_case as (
    select
        cases.*,
        case
            when cases.case_kind = 'administrative' then cast(coalesce(cases.accepted_at, cases.filed_at) as date)
            else cast(cases.filed_at as date)
        end as started_on,
        night.as_of
    from {{ ref('stg_case') }} as cases
    cross join {{ source('control', 'night') }} as night
),

listed_category as (
    {{ listed_categories(ref('stg_case'), 'serious_violent') }}
),

ranked_case as (
    select
        dated_case.*,
        least(coalesce(started_on, batch_date), as_of) as day,
        row_number() over (
            partition by group_name, case_id
            order by started_on nulls last, batch_date, source_id, file_name, row_number
        ) as copy_rank
    from dated_case
),

placed_case as (
    select
        ranked_case.group_name,
        ranked_case.case_id,
        {{ leaf_unit() }} as unit_code,
        ranked_case.unit_code as filing_unit_code,
        ranked_case.day,
        ranked_case.incident_id,
        ranked_case.occurred_at,
        ranked_case.filed_at,
        ranked_case.case_kind,
        coalesce(ranked_case.category, 'unknown') as category,
        coalesce(ranked_case.is_major, false) as is_major,
        coalesce(ranked_case.is_serious_violent, {{ is_listed('ranked_case') }}) as is_serious_violent,
        case
            when ranked_case.case_id is not null and ranked_case.copy_rank > 1 then 'duplicate_case'
            when ranked_case.started_on is null then 'not_filed'
            when ranked_case.started_on > ranked_case.as_of then 'after_as_of'
        end as excluded_reason,
        ranked_case.row_count
    from ranked_case
    {{ join_leaf_unit('ranked_case') }}
    {{ join_group_root('ranked_case') }}
)

select
    placed_case.*,
    dim_unit.root_code
from placed_case
inner join {{ ref('dim_unit') }} as dim_unit on placed_case.unit_code = dim_unit.unit_code
