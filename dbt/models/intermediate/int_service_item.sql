{{ config(materialized='view') }}
{#- Versions of the service items, one row each, however many rows of the list say the same. -#}
select
    group_name,
    item_code,
    max(case when is_one_window then 1 else 0 end) = 1 as is_one_window,
    max(case when is_one_visit then 1 else 0 end) = 1 as is_one_visit,
    max(statutory_days) as statutory_days,
    max(promised_days) as promised_days,
    valid_from,
    coalesce(min(valid_to), {{ last_moment() }}) as valid_to
from {{ ref('stg_service_item') }}
group by group_name, item_code, valid_from
