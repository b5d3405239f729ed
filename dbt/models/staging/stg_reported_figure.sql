{{ current_state('reported_figure') }}

select * from current_rows
