{{ config(materialized=kept_table(), meta={'entity': 'matter'}) }}
{{ current_state('matter') }}

select * from current_rows
