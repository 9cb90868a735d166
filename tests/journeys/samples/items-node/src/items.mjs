// Items over HTTP. The SDK finds endpoint and credentials in the environment, as on Lambda.
import { ConditionalCheckFailedException, DynamoDBClient } from '@aws-sdk/client-dynamodb';
import { DynamoDBDocumentClient, GetCommand, PutCommand, ScanCommand } from '@aws-sdk/lib-dynamodb';

const documents = DynamoDBDocumentClient.from(new DynamoDBClient({}));
const TableName = process.env.SAMPLE_TABLE;

const answer = (statusCode, content) => ({ statusCode, body: JSON.stringify(content) });

export const getAll = async () => {
  const { Items } = await documents.send(new ScanCommand({ TableName }));
  return answer(200, Items);
};

export const getById = async (event) => {
  const { Item } = await documents.send(new GetCommand({ TableName, Key: { id: event.pathParameters.id } }));
  return Item ? answer(200, Item) : answer(404, { message: 'Not found' });
};

export const put = async (event) => {
  const item = JSON.parse(event.body);
  try {
    await documents.send(
      new PutCommand({ TableName, Item: item, ConditionExpression: 'attribute_not_exists(id)' }),
    );
  } catch (error) {
    if (error instanceof ConditionalCheckFailedException) return answer(409, { message: 'It is there already' });
    throw error;
  }
  return answer(201, item);
};
