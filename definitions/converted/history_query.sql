select {columns}
from {source}
