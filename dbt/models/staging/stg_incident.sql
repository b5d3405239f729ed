{{ config(materialized=kept_table(), meta={'entity': 'incident'}) }}
{{ current_state('incident') }}

select * from current_rows
