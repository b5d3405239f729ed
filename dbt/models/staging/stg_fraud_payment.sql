{{ config(materialized=kept_table(), meta={'entity': 'fraud_payment'}) }}
{{ current_state('fraud_payment') }}

select * from current_rows
