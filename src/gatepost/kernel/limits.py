"""AWS's published limits, each with its source."""

from typing import Final

# https://docs.aws.amazon.com/apigateway/latest/developerguide/api-gateway-execution-service-limits-table.html
API_GATEWAY_HEADERS_BYTES_MAX: Final = 10_240
API_GATEWAY_BODY_BYTES_MAX: Final = 10 * 1024 * 1024
API_GATEWAY_INTEGRATION_TIMEOUT_MS_MIN: Final = 50
API_GATEWAY_INTEGRATION_TIMEOUT_MS_MAX: Final = 29_000
API_GATEWAY_RAISED_TIMEOUT_MS_MAX: Final = 300_000  # on request, for regional and private APIs
API_GATEWAY_STREAM_TIMEOUT_MS_MAX: Final = 900_000

# https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html
LAMBDA_PAYLOAD_BYTES_MAX: Final = 6 * 1024 * 1024
LAMBDA_TIMEOUT_S_MAX: Final = 900
LAMBDA_MEMORY_MB_MIN: Final = 128
LAMBDA_MEMORY_MB_MAX: Final = 10_240
LAMBDA_ZIP_BYTES_MAX: Final = 50 * 1024 * 1024
LAMBDA_UNZIPPED_BYTES_MAX: Final = 250 * 1024 * 1024

# https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Constraints.html
DYNAMODB_ITEM_BYTES_MAX: Final = 400 * 1024
DYNAMODB_PAGE_BYTES_MAX: Final = 1024 * 1024
DYNAMODB_TRANSACTION_ITEMS_MAX: Final = 100

# https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/cloudformation-limits.html
CLOUDFORMATION_TEMPLATE_BODY_BYTES_MAX: Final = 51_200
CLOUDFORMATION_OUTPUTS_MAX: Final = 200
CLOUDFORMATION_TEMPLATE_BYTES_MAX: Final = 1024 * 1024
CLOUDFORMATION_RESOURCES_MAX: Final = 500

# https://docs.aws.amazon.com/apigateway/latest/developerguide/api-gateway-control-service-limits-table.html
API_GATEWAY_RESOURCES_PER_API_MAX: Final = 300
API_GATEWAY_STAGES_PER_API_MAX: Final = 10
API_GATEWAY_CLIENT_CERTIFICATES_MAX: Final = 60
API_GATEWAY_DOCUMENTATION_PARTS_PER_API_MAX: Final = 2_000
API_GATEWAY_DOCUMENTATION_VERSIONS_PER_API_MAX: Final = 1_000  # unverified
API_GATEWAY_AUTHORIZERS_PER_API_MAX: Final = 10
API_GATEWAY_REGIONAL_APIS_MAX: Final = 600
API_GATEWAY_EDGE_APIS_MAX: Final = 120
API_GATEWAY_PRIVATE_APIS_MAX: Final = 600
API_GATEWAY_IMPORT_BYTES_MAX: Final = 6 * 1024 * 1024

# https://docs.aws.amazon.com/apigateway/latest/developerguide/api-gateway-execution-service-limits-table.html
API_GATEWAY_TEMPLATE_BYTES_MAX: Final = 300 * 1024
API_GATEWAY_FOREACH_ITERATIONS_MAX: Final = 1_000
