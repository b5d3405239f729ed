{{ config(materialized=kept_table(), meta={'entity': 'gate_hour'}) }}
{{ current_state('gate_hour') }}

select * from current_rows
