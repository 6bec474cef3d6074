select {columns}
from {{ rows }}
