select * from {shadow}
