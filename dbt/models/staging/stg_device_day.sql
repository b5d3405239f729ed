{{ current_state('device_day') }}

select * from current_rows
