{{ config(materialized=kept_table(), meta={'entity': 'observation'}) }}
{{ current_state('observation') }}

select * from current_rows
