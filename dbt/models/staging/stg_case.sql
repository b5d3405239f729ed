{{ current_state('case') }}

select * from current_rows
