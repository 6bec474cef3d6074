select id, name from shop.customer
