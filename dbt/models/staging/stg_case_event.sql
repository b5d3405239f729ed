{{ config(materialized=kept_table(), meta={'entity': 'case_event'}) }}
{{ current_state('case_event') }}

select * from current_rows
