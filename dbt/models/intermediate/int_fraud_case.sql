{#-
  Telecom-fraud cases, one row each, with what banks stopped and returned of their loss up to the night. Several rows with one case
  number are one case: the earliest counts. unit_code is the unit as delivered: each figure stands under the leaf of its own day.
-#}
with night as (
    select as_of from {{ source('control', 'night') }}
),

moved as (
    select
        payment.group_name,
        payment.case_id,
        sum(case when payment.action = 'stopped' then payment.amount_fen else 0 end) as stopped_fen,
        sum(case when payment.action = 'returned' then payment.amount_fen else 0 end) as returned_fen
    from {{ ref('stg_fraud_payment') }} as payment
    cross join night
    where cast(payment.happened_at as date) <= night.as_of
    group by payment.group_name, payment.case_id
),

ranked_case as (
    select
        fraud.*,
        row_number() over (
            partition by fraud.group_name, fraud.case_id
            order by fraud.filed_at nulls last, fraud.batch_date, fraud.source_id, fraud.file_name, fraud.row_number
        ) as copy_rank
    from {{ ref('stg_fraud_case') }} as fraud
)

select
    ranked_case.group_name,
    ranked_case.case_id,
    ranked_case.unit_code,
    coalesce(ranked_case.category, 'unknown') as category,
    least(cast(ranked_case.reported_at as date), night.as_of) as reported_on,
    cast(ranked_case.filed_at as date) as filed_on,
    ranked_case.loss_fen,
    coalesce(moved.stopped_fen, 0) as stopped_fen,
    coalesce(moved.returned_fen, 0) as returned_fen,
    case
        when ranked_case.copy_rank > 1 then 'duplicate_case'
        when cast(ranked_case.reported_at as date) > night.as_of then 'after_as_of'
    end as excluded_reason,
    case
        when ranked_case.filed_at is null then 'not_filed'
        when cast(ranked_case.filed_at as date) > night.as_of then 'after_as_of'
    end as unfiled_reason,
    ranked_case.row_count
from ranked_case
cross join night
left join moved on ranked_case.group_name = moved.group_name and ranked_case.case_id = moved.case_id
