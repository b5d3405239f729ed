{{ config(materialized=kept_table(), meta={'entity': 'callback'}) }}
{{ current_state('callback') }}

select * from current_rows
