// Is the bucket there? Makes it, then ends.
import { CreateBucketCommand, ListBucketsCommand, S3Client } from '@aws-sdk/client-s3'

const { S3_ENDPOINT: endpoint = '', S3_BUCKET: bucket = '', AWS_REGION: region = '' } = process.env

const client = new S3Client({ endpoint, region, forcePathStyle: true })
const { Buckets = [] } = await client.send(new ListBucketsCommand())
if (!Buckets.some(({ Name }) => Name === bucket)) {
  await client.send(new CreateBucketCommand({ Bucket: bucket }))
}
console.log(`bucket ${bucket} is there`)
