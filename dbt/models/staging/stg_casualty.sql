{{ config(materialized=kept_table(), meta={'entity': 'casualty'}) }}
{{ current_state('casualty') }}

select * from current_rows
