{{ current_state('service_item') }}

select * from current_rows
