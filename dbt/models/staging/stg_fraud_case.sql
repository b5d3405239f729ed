{{ config(materialized=kept_table(), meta={'entity': 'fraud_case'}) }}
{{ current_state('fraud_case') }}

select * from current_rows
