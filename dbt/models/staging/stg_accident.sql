{{ config(materialized=kept_table(), meta={'entity': 'accident'}) }}
{{ current_state('accident') }}

select * from current_rows
