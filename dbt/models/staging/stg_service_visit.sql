{{ config(materialized=kept_table(), meta={'entity': 'service_visit'}) }}
{{ current_state('service_visit') }}

select * from current_rows
