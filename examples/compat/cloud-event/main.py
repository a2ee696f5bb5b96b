"""A Google Cloud Function that is told of events: a file was written to a bucket."""

import functions_framework


@functions_framework.cloud_event
def stored(cloud_event):
    data = cloud_event.data
    print(f"{cloud_event['type']} from {cloud_event['source']}: {data['bucket']}/{data['name']}")
