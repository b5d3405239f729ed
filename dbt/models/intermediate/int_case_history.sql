{#-
  What has happened to each case as of the night: the first day of every kind of event that a figure asks for. A case that the
  pool has no case row for (recorded before deliveries began) appears here too.
-#}
select
    group_name,
    case_id,
    min(unit_code) as unit_code,
    min(root_code) as root_code,
    min(case_kind) as case_kind,
    max(case when is_major then 1 else 0 end) = 1 as is_major,
    min(day) as first_event_on,
    min(case when clears then day end) as cleared_on,
    min(case when closes_otherwise then day end) as otherwise_closed_on,
    min(case when exits then day end) as exited_on,
    min(case when administrative_outcome = 'penalised' then day end) as penalised_on,
    min(case when administrative_outcome = 'not_penalised' then day end) as not_penalised_on,
    min(case when administrative_outcome = 'mediated' then day end) as mediated_on
from {{ ref('int_case_event') }}
where not is_future
group by group_name, case_id
