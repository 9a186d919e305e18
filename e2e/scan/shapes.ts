import { mkdir, readFile, rm, writeFile } from 'node:fs/promises'
import { allCases, template } from '../../charts/test/render.ts'
import { packCharts } from '../helm.ts'
import { ROOT } from './tools.ts'

/**
 * Writes one file for each shape: every case of the chart tests, and the manifests of every overlay in k8s/. A
 * shape's objects are in one file, because kube-score matches policies and budgets with the pods of its input.
 */
export async function renderShapes(folder: string): Promise<string> {
  await mkdir(folder, { recursive: true })
  const charts = await packCharts()
  const cases = allCases()
  try {
    for (const each of cases) {
      const text = await template('helm', charts, each)
      await writeFile(`${folder}/${each.chart}-${each.name.replace('.yaml', '')}.yaml`, text)
    }
  } finally {
    await rm(charts, { recursive: true })
  }
  const overlays = ['local', 'staging', 'production']
  const base = await readFile(`${ROOT}k8s/base/platform.yaml`, 'utf8')
  for (const overlay of overlays) {
    const own = await readFile(`${ROOT}k8s/overlays/${overlay}/platform.yaml`, 'utf8')
    await writeFile(`${folder}/k8s-${overlay}.yaml`, `${base}---\n${own}`)
  }
  return `${cases.length + overlays.length} shapes`
}
