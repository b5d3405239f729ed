{#- What the incidents of every day say, as one number that differs when any row does: how a build finds the days to count again. -#}
select
    incident.day,
    {{ whole_rows_content('incident') }} as content
from {{ ref('int_incident') }} as incident
group by incident.day
