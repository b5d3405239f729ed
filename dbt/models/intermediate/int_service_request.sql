{#-
  Service requests with their days and the version of the item that held on the day of receipt. A request that several systems hold is
  one request: the row that closed first speaks for it. A closing after the night is not known yet. A due date without time of day lasts
  until the day is over.
-#}
with known_request as (
    select
        request.*,
        night.as_of,
        cast(request.received_at as date) as received_on,
        cast(request.closed_at as date) <= night.as_of as is_closed
    from {{ ref('stg_service_request') }} as request
    cross join {{ source('control', 'night') }} as night
),

ranked_request as (
    select
        known_request.*,
        row_number() over (
            partition by group_name, request_id
            order by case when is_closed then closed_at end nulls last, received_at, source_id, file_name, row_number
        ) as copy_rank
    from known_request
)

select
    ranked_request.group_name,
    ranked_request.request_id,
    coalesce(ranked_request.item_code, 'unknown') as item,
    ranked_request.unit_code,
    coalesce(ranked_request.channel, 'unknown') as channel,
    coalesce(ranked_request.is_cross_region, false) as is_cross_region,
    least(ranked_request.received_on, ranked_request.as_of) as received_on,
    cast(ranked_request.due_at as date) as due_on,
    case when ranked_request.is_closed then cast(ranked_request.closed_at as date) end as closed_on,
    case when ranked_request.is_closed and ranked_request.due_at is not null then {{ is_by('ranked_request.closed_at', 'ranked_request.due_at') }} end as is_in_time,
    case when ranked_request.is_closed then ranked_request.result end as result,
    item_version.statutory_days,
    item_version.promised_days,
    case
        when ranked_request.copy_rank > 1 then 'duplicate_request'
        when ranked_request.received_on > ranked_request.as_of then 'after_as_of'
    end as excluded_reason,
    ranked_request.as_of,
    ranked_request.row_count
from ranked_request
left join {{ ref('int_service_item') }} as item_version
    on
        ranked_request.group_name = item_version.group_name
        and ranked_request.item_code = item_version.item_code
        and ranked_request.received_on >= item_version.valid_from
        and ranked_request.received_on < item_version.valid_to
