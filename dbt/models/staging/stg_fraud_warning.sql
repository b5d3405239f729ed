{{ config(materialized=kept_table(), meta={'entity': 'fraud_warning'}) }}
{{ current_state('fraud_warning') }}

select * from current_rows
