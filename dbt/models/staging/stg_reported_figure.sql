{{ config(materialized=kept_table(), meta={'entity': 'reported_figure'}) }}
{{ current_state('reported_figure') }}

select * from current_rows
