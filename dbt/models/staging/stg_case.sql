{{ config(materialized=kept_table(), meta={'entity': 'case'}) }}
{{ current_state('case') }}

select * from current_rows
