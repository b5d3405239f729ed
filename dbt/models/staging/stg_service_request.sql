{{ config(materialized=kept_table(), meta={'entity': 'service_request'}) }}
{{ current_state('service_request') }}

select * from current_rows
