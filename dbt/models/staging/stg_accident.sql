{{ current_state('accident') }}

select * from current_rows
