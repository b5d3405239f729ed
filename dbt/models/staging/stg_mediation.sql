{{ config(materialized=kept_table(), meta={'entity': 'mediation'}) }}
{{ current_state('mediation') }}

select * from current_rows
