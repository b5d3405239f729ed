{{ config(materialized=kept_table(), meta={'entity': 'device_day'}) }}
{{ current_state('device_day') }}

select * from current_rows
