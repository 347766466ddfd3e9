// Says one of each thing that Pipes can say, for test_pipes.py to hear.
import { openPipes } from '@churnstream/batch'

const pipes = openPipes(process.env)
const { context } = pipes
pipes.log('a line of the probe', 'WARNING')
pipes.reportCustomMessage({ extras: context?.extras, partition: context?.partition_key ?? null })
pipes.reportAssetCheck({ checkName: 'probed', passed: true, metadata: { rows: 3 } })
pipes.reportAssetMaterialization({
  metadata: {
    rows: 3,
    share: 0.5,
    model: 'churn-default 1',
    nothing: null,
    rejects: { raw_value: { late: 1 }, type: 'json' },
  },
  dataVersion: 'abc',
})
if (process.argv[2] === 'fail') {
  pipes.close(new Error('the probe was told to fail', { cause: new Error('by its test') }))
  process.exitCode = 75
} else {
  pipes.close()
}
