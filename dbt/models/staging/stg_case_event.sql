{{ current_state('case_event') }}

select * from current_rows
