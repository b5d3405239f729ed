{{ current_state('mediation') }}

select * from current_rows
