{{ current_state('register_entry') }}

select * from current_rows
